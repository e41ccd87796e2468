"""events: what both servers publish of the keys, all classes, to a subscriber of all of it: the streams must be the same."""
from resp import Closed

PATTERN, END = b'__key*__:*', b'__key-end__:'


class Events:
    def __init__(self, servers, control):
        self.servers, self.control = servers, control
        self.listen()

    def listen(self):
        self.streams = [s.connect() for s in self.servers]
        for c in self.streams:
            c.call('PSUBSCRIBE', PATTERN)

    def take(self):
        """Of each server, what has come since the last time: [(channel, text)]; nothing, if a case has cut the subscribers off.
        What was replied to has been published."""
        try:
            return self.taken()
        except (Closed, OSError):
            self.listen()
            return [[], []]

    def taken(self):
        taken = []
        for control, stream in zip(self.control, self.streams):
            control.call('PUBLISH', END, '')
            events = []
            while True:
                channel, text = (part.value for part in stream.read().value[2:])
                if channel == END:
                    break
                events.append((channel, text))
            taken.append(events)
        return taken


def difference(theirs, ours, but=None, around=4):
    """The first place where they differ, with what is before it, events of the name `but` left out; None: nowhere."""
    theirs, ours = [[e for e in events if not (but and (e[1] == but or e[0].endswith(but)))] for events in (theirs, ours)]
    if theirs == ours:
        return None
    at = next((i for i, (a, b) in enumerate(zip(theirs, ours)) if a != b), min(len(theirs), len(ours)))
    begin = max(0, at - around)
    return [' '.join(f'{channel.decode("latin-1")}={text.decode("latin-1")}' for channel, text in events[begin:at + around]) or 'none'
            for events in (theirs, ours)]
