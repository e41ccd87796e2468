"""The library as it is installed: what it needs, what it shows, how a program finds it, C++, the man page."""
import os
import re
import shutil
import subprocess
import tempfile

from agent import HERE, Daemon, Skip
from servers import larderd_path

SOURCE = os.path.join(HERE, '..', '..', 'src', 'l1')


def build_dir():
    return os.environ.get('top_builddir') or os.path.dirname(larderd_path())


def run(*argv, **more):
    done = subprocess.run(argv, capture_output=True, text=True, timeout=300, **more)
    assert done.returncode == 0, f'{argv}: {done.stdout}{done.stderr}'
    return done.stdout


def library():
    return os.path.realpath(os.path.join(build_dir(), 'liblarder.so'))


def declared():
    with open(os.path.join(SOURCE, 'larder.h')) as f:
        return set(re.findall(r'^(?!typedef).*?\b(larder_\w+)\(', f.read(), re.M))


def sanitized():
    return re.search(r'asan|tsan|ubsan', run('readelf', '-d', library()))


def test_it_needs_the_c_library_alone():
    if sanitized():
        raise Skip('a build with sanitizers')
    needed = set(re.findall(r'NEEDED.*\[(.*)\]', run('readelf', '-d', library())))
    assert needed <= {'libc.so.6', 'libpthread.so.0', 'ld-linux-x86-64.so.2'}, needed
    assert 'SONAME' in run('readelf', '-d', library()) and 'liblarder.so.0' in run('readelf', '-d', library())


def test_it_shows_what_the_header_declares():
    shown = {re.sub('@.*', '', line.split()[-1]) for line in run('nm', '-D', '--defined-only', library()).splitlines()}
    assert {s for s in shown if not s.startswith('LARDER_0')} == {n for n in declared()}, shown ^ declared()
    versions = {line.split()[-1] for line in run('nm', '-D', '--defined-only', '--with-symbol-versions', library()).splitlines()}
    assert 'larder_get@@LARDER_0' in versions, versions


def test_it_has_no_state_of_its_own():
    if sanitized():
        raise Skip('a build with sanitizers')
    held = [line for line in run('nm', library()).splitlines() if re.search(r' [bBdD] ', line)]
    ours = [line for line in held if not re.search(r' (_DYNAMIC|_GLOBAL_OFFSET_TABLE_|__TMC_END__|__dso_handle|completed\.\d+|.*_array_entry|'
                                                   r'schemes\.\d+|texts\.\d+|rows\.\d+)$', line)]  # constants with addresses in them
    assert not ours, ours


def test_installed_and_used_from_cxx():
    if sanitized():
        raise Skip('a build with sanitizers')
    compilers = [c for c in ('g++', 'clang++') if shutil.which(c)]
    assert compilers, 'no C++ compiler: utils/setup check installs one'
    with tempfile.TemporaryDirectory() as root, Daemon('larder') as d:
        env = {**os.environ, 'MAKEFLAGS': ''}
        for target in ('install-includeHEADERS', 'install-nodist_pkgconfigDATA', 'install-exec-hook'):
            run('make', '-C', build_dir(), target, f'prefix={root}/usr', env=env)
        pc = f'{root}/usr/lib/pkgconfig/liblarder.pc'
        with open(pc) as f:
            text = re.sub(r'^prefix=.*', f'prefix={root}/usr', f.read(), flags=re.M)
        with open(pc, 'w') as f:
            f.write(text)
        flags = run('pkg-config', '--cflags', '--libs', 'liblarder', env={**os.environ, 'PKG_CONFIG_PATH': os.path.dirname(pc)}).split()
        for compiler in compilers:
            program = os.path.join(root, compiler)
            run(compiler, '-std=c++11', '-Wall', '-Wextra', '-Wpedantic', '-Werror', os.path.join(HERE, 'cxx.cpp'), '-o', program, *flags)
            said = run(program, d.url, env={**os.environ, 'LD_LIBRARY_PATH': f'{root}/usr/lib'})
            assert said == 'made of key\n', said
        run('gcc', '-std=c99', '-Wall', '-Wextra', '-Wpedantic', '-Werror', '-fsyntax-only', '-x', 'c', os.path.join(SOURCE, 'larder.h'))


def test_the_manual_names_everything():
    page = os.path.join(HERE, '..', '..', 'doc', 'larder.3')
    with open(page) as f:
        text = f.read().replace('\\-', '-')
    missing = [n for n in declared() if n not in text]
    with open(os.path.join(SOURCE, 'larder.h')) as f:
        header = f.read()
    for name in ('larder_options', 'larder_stats'):
        body = re.search(r'typedef struct %s \{(.*?)\} %s;' % (name, name), header, re.S).group(1)
        fields = re.sub(r'/\*.*?\*/', '', body, flags=re.S)
        missing += [f for f in re.findall(r'(\w+)\s*[,;]', fields) if f not in text]
    assert not missing, f'doc/larder.3 does not name {missing}'
    if shutil.which('man'):
        said = subprocess.run(['man', '--warnings', '-E', 'UTF-8', '-l', '-Tutf8', '-Z', page], capture_output=True, text=True).stderr
        assert not said, said
