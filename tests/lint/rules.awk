# SPDX-License-Identifier: Apache-2.0
#
# Floors      service > object > family > base > platform.h; posix and win32 stand on base. A file includes
#             what is on its own floor or below. A start method that only one system has (posix/methods*,
#             posix/start_*, posix/forkserver*) belongs to object.
# Systems     common code has no condition on a system or a compiler, and includes no system's header; only
#             export.h, base/atomic.h and base/compiler.h may.
# Length      a source of the library up to 500 lines, a function up to 60.
# Calls       none that overrun, none that take other people's children or signals, no sleep in tests.
# Licence     every file names it.

function breach(text) {
    printf "%s:%d: %s\n", FILENAME, FNR, text
    failed = 1
}

# How high a path stands; the relative height is all that counts. 9: not a floor, includes what it likes.
function floor_of(path) {
    if (path ~ /^platform\.h$/) return 0
    if (path ~ /^base\//) return 1
    if (path ~ /^(posix|win32)\/(start_|methods|forkserver)/) return 4
    if (path ~ /^(posix|win32)\//) return 2
    if (path ~ /^family\//) return 3
    if (path ~ /^object\//) return 4
    if (path ~ /^service\//) return 5
    return 9
}

# The line without comments and without what is inside string literals.
function code_of(line,    out, at, end) {
    out = ""
    while (line != "") {
        if (in_comment) {
            end = index(line, "*/")
            if (!end) return out
            line = substr(line, end + 2)
            in_comment = 0
            continue
        }
        if (!match(line, /"|'|\/\*|\/\//)) return out line
        out = out substr(line, 1, RSTART - 1)
        at = substr(line, RSTART, RLENGTH)
        line = substr(line, RSTART + RLENGTH)
        if (at == "//") return out
        if (at == "/*") { in_comment = 1; out = out " "; continue }
        # a literal: skip to its end, over escaped characters
        while (line != "" && substr(line, 1, 1) != at)
            line = substr(line, substr(line, 1, 1) == "\\" ? 3 : 2)
        line = substr(line, 2)
        out = out at at
    }
    return out
}

function check_include(line,    target) {
    if (line !~ /^ *# *include/) return
    if (match(line, /"[^"]*"/)) {
        target = substr(line, RSTART + 1, RLENGTH - 2)
        if (is_library && target !~ /^mproc\// && floor_of(target) < 9 && floor_of(target) > my_floor)
            breach(path " stands below " target " and must not include it")
        if (is_common && target ~ /^(posix|win32)\// && my_floor < 9)
            breach("common code must not include " target)
    } else if (is_common && !is_exempt && line ~ system_header) {
        breach("common code must not include a system's header: " line)
    }
}

function check_calls(code) {
    code = " " code
    if (code ~ /[^A-Za-z0-9_](strcpy|strcat|sprintf|vsprintf|gets) *\(/)
        breach("banned call, it does not know the size: " $0)
    if (code ~ /[^A-Za-z0-9_.>](wait *\(|waitpid *\( *-1|wait3 *\(|waitid *\( *P_ALL)/ && path !~ /^posix\/forkserver/)
        breach("banned call, it takes other people's children: " $0)
    if (code ~ /[^A-Za-z0-9_.>](signal|sigaction) *\([^(),]*,/ && is_library && is_common)
        breach("banned call, signals belong to the host: " $0)
    if (code ~ /[^A-Za-z0-9_.>]signal *\([^(),]*,/)
        breach("banned call, use sigaction: " $0)
    if (FILENAME ~ /^tests\// && code ~ /[^A-Za-z0-9_](sleep|usleep|nanosleep|clock_nanosleep|Sleep|apr_sleep) *\(/)
        breach("no sleep in a test, wait for what it waits for: " $0)
}

function check_length() {
    if (/^[A-Za-z_]/ && !start) start = FNR
    if (/^[{]/ && start) in_function = 1
    else if (!in_function && /[;{}]$/) start = 0
    else if (!in_function && /^$/) start = 0
    if (/^}/ ) {
        if (in_function && FNR - start + 1 > 60)
            breach("this function has " FNR - start + 1 " lines, 60 are too many")
        in_function = start = 0
    }
}

function end_of_file() {
    if (!previous) return
    if (previous ~ /^src\/.*\.c$/ && lines > 500)
        { printf "%s: %d lines, 500 are too many\n", previous, lines; failed = 1 }
    if (!licensed) { printf "%s: no line SPDX-License-Identifier: Apache-2.0\n", previous; failed = 1 }
}

BEGIN {
    system_header = "<(windows|winsock2|winternl|io|process|direct|unistd|pthread|fcntl|spawn|poll|dlfcn|sched|sys\\/[a-z_]+|linux\\/[a-z_]+)\\.h>"
    system_word = "(_WIN32|_WIN64|__linux__|__unix__|__APPLE__|__FreeBSD__|_MSC_VER|__GNUC__|__clang__|__MINGW32__|__CYGWIN__|__GLIBC__)"
}

FNR == 1 {
    end_of_file()
    previous = FILENAME
    licensed = in_comment = in_function = start = 0
    path = FILENAME
    sub(/^(src|examples)\//, "", path)
    is_library = FILENAME ~ /^src\//
    is_common = path !~ /^(posix|win32)\// && (is_library || FILENAME ~ /^(include|examples)\//)
    is_exempt = FILENAME ~ /^(include\/mproc\/export\.h|src\/base\/atomic\.h|src\/base\/compiler\.h)$/
    my_floor = is_library ? floor_of(path) : 9
}

{
    lines = FNR
    sub(/\r$/, "")
    if (/SPDX-License-Identifier: Apache-2\.0/) licensed = 1
    code = code_of($0)
    if (code ~ /^ *# *include/) check_include($0)
    else check_calls(code)
    if (is_common && !is_exempt && code ~ /^ *# *(if|ifdef|ifndef|elif)/ && code ~ system_word)
        breach("a system is a folder, not a condition: " $0)
    if (is_library) check_length()
}

END {
    end_of_file()
    exit failed
}
