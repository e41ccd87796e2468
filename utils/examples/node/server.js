'use strict';
// A web back end as they are: HTTP in front, a slow database behind, getOrSet between them. Run several of them; a write in one is
// seen by all.
//
// usage: node server.js PORT URL        then: curl localhost:PORT/products/7, curl -X PUT -d '{"price":5}' localhost:PORT/products/7
const http = require('http');
const { Larder } = require('./index.js');

const [port = '8080', url = 'redis://127.0.0.1:6379'] = process.argv.slice(2);
const cache = new Larder(url);
const rows = new Map(); // what was written; the others are made up
let queries = 0;

const pause = (ms) => new Promise((done) => setTimeout(done, ms));
const database = {
  async read(id) {
    queries++;
    await pause(20);
    return id < 1000 ? rows.get(id) || { id, name: `Product ${id}`, price: id * 7 % 1000 } : null;
  },
  async write(id, row) {
    await pause(20);
    rows.set(id, row);
  },
};

const getOrSet = (key, ttl, make) => cache.getOrLoad(key, make, { ttl, stale: 5000 });

async function body(request) {
  let text = '';
  for await (const chunk of request) text += chunk;
  return JSON.parse(text || '{}');
}

async function answer(request) {
  const product = /^\/products\/(\d+)$/.exec(request.url);
  if (product && request.method === 'GET') {
    const id = Number(product[1]);
    return getOrSet(`product:${id}`, 60000, () => database.read(id));
  }
  if (product && request.method === 'PUT') {
    const id = Number(product[1]), row = { id, ...await body(request) };
    await database.write(id, row);
    await cache.del(`product:${id}`); // after the write: who loads it now sees the new row
    return row;
  }
  if (request.url === '/products' && request.method === 'DELETE') return { gone: await cache.invalidate('product:*') };
  if (request.url === '/stats') return { queries, ...cache.stats() };
  return null;
}

const server = http.createServer((request, response) => {
  answer(request).then((value) => {
    response.writeHead(value ? 200 : 404, { 'content-type': 'application/json' });
    response.end(JSON.stringify(value || { error: 'not found' }));
  }, (error) => {
    response.writeHead(503, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ error: error.message }));
  });
});
server.listen(Number(port), '127.0.0.1', () => console.log(`listening on ${server.address().port}`));
process.on('SIGTERM', () => server.close(() => cache.close()));
