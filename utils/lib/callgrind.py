"""callgrind: how many instructions a server has executed in user space, as valgrind's callgrind counts them."""
import glob
import os
import re
import subprocess

WRAPPER = ['valgrind', '--tool=callgrind', '--callgrind-out-file=callgrind.out']


def control(server, what):
    subprocess.run(['callgrind_control', what, str(server.pid)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def total(server):
    """Since the last time that it was asked, or since zero()."""
    control(server, '-d')
    newest = max(glob.glob(os.path.join(server.folder, 'callgrind.out.*')), key=lambda p: int(p.rsplit('.', 1)[1]))
    with open(newest) as f:
        return int(re.search(r'^(?:summary|totals): (\d+)', f.read(), re.M).group(1))


def zero(server):
    control(server, '-z')
