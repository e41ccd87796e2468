"""Stories that are played at larderd and at redis-server (their ports: argv[1], argv[2]) and must be the same there. TAP."""
import sys


def tell(name, play, stories):
    """play(story, port) returns the notes that the story took. Does not return."""
    ports = int(sys.argv[1]), int(sys.argv[2])
    print(f'1..{len(stories)}')
    failed = 0
    for n, story in enumerate(stories, 1):
        case = f'{name}: {story.__name__.removeprefix("play_")}'
        try:
            ours, theirs = (play(story, port) for port in ports)
            assert len(ours) == len(theirs) >= 1, f'{len(ours)} and {len(theirs)} notes'
            for i, (a, b) in enumerate(zip(ours, theirs)):
                assert a == b, f'note {i}: redis-server {b!r:.900}, larderd {a!r:.900}'
            print(f'ok {n} - {case}')
        except Exception as e:  # a failed story must not hide the others
            failed = 1
            print(f'not ok {n} - {case}: {type(e).__name__} {e}'.replace('\n', ' '))
    sys.exit(failed)
