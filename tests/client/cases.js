'use strict';
// A few lines of test runner for the clients of Node.js: each case gets an empty server. TAP.

const assert = require('assert');

async function runCases(client, cases, begin, end) {
  const names = Object.keys(cases);
  let failed = 0;
  console.log(`1..${names.length}`);
  for (let n = 0; n < names.length; n++) {
    let stop;
    const late = new Promise((_, no) => { stop = setTimeout(() => no(new Error('no end after 60 s')), 60000); });
    try {
      const redis = await begin();
      await Promise.race([cases[names[n]](redis), late]);
      await end(redis);
      console.log(`ok ${n + 1} - ${client}: ${names[n]}`);
    } catch (e) {
      failed = 1;
      console.log(`not ok ${n + 1} - ${client}: ${names[n]}: ${String(e.message).split('\n')[0]}`);
    }
    clearTimeout(stop);
  }
  process.exit(failed);
}

// Calls f until it gives true; throws when that takes longer than 20 s.
async function until(f) {
  const give_up = Date.now() + 20000;
  while (!(await f())) {
    assert(Date.now() < give_up, `not in 20 s: ${f}`);
    await new Promise((go) => setTimeout(go, 5));
  }
}

// Cases of stories, each of which must take the same notes at both ports: play(story, port) gives them.
function sameAtBoth(stories, play, ports) {
  const cases = {};
  for (const [name, story] of Object.entries(stories))
    cases[name] = async () => {
      const [ours, theirs] = [await play(story, ports[0]), await play(story, ports[1])];
      assert(ours.length === theirs.length && theirs.length > 1, `${ours.length} and ${theirs.length} notes`);
      theirs.forEach((note, i) => {
        const [a, b] = [note, ours[i]].map((x) => JSON.stringify(x));
        assert.deepStrictEqual(ours[i], note, `note ${i}: redis-server ${a.slice(0, 900)}, larderd ${b.slice(0, 900)}`);
      });
    };
  return cases;
}

module.exports = { runCases, sameAtBoth, until };
