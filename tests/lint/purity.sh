#!/bin/bash
# libsagas.a calls no clock, random, file, socket, process or thread function: `nm -u` says what it
# calls. Needs the library to be built (make lint does that).
set -u
library=${BUILD:-build/release}/libsagas.a
[ -e "$library" ] || { echo "$library is not built"; exit 1; }
forbidden='time|gettimeofday|clock.*|localtime.*|gmtime.*|mktime|timegm|strftime|ftime|timer_.*|timerfd_.*
|rand|rand_r|random|srand.*|srandom|[dlnmje]rand48.*|getrandom|getentropy|arc4random.*|RAND_.*
|open|openat|creat|read|write|pread.*|pwrite.*|readv|writev|close|fopen.*|fdopen|freopen|fclose|fread|fwrite|fgets|fputs|fputc|putc|puts|putchar|printf|perror|scanf|fscanf|getline|opendir|readdir.*|stat|fstat|lstat|unlink|rename|mkdir|mmap.*|fsync|fdatasync|json_load_file|json_dump_file|json_loadf|json_dumpf
|socket|connect|bind|listen|accept.*|send|sendto|sendmsg|recv.*|poll|ppoll|select|epoll_.*|getaddrinfo
|fork|vfork|exec.*|system|popen|kill|raise|sleep|usleep|nanosleep|getenv|secure_getenv|setenv|putenv|getpid
|pthread_.*|thrd_.*|mtx_.*|sem_.*'
forbidden=$(tr -d '\n' <<< "$forbidden")
bad=0
while read -r symbol; do
	symbol=${symbol%%@*}
	case $symbol in
	__asan* | __ubsan* | __tsan*) continue ;;
	esac
	if [[ $symbol =~ ^(${forbidden})(64)?$ ]]; then
		where=$(nm -A -u "$library" 2> /dev/null | awk -v s="$symbol" '$NF == s || index($NF, s "@") == 1 {print $1}' | head -n 1)
		echo "${where} calls $symbol"
		bad=1
	fi
done < <(nm -u "$library" 2> /dev/null | awk '$1 == "U" {print $2}' | sort -u)
exit $bad
