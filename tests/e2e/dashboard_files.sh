#!/bin/bash
# How the dashboard's files are served: redirects, history routing, forms and tags, the headers that
# confine a page; and whose pages may act. A binary without the dashboard says how to get one.
. "$(dirname "$0")/lib.sh"

request() { # METHOD PATH [CURL ARGUMENT...]: the answer is in $status and $dir/body, $dir/head
	local method=$1 path=$2
	shift 2
	if [ "$method" = HEAD ]; then set -- -I "$@"; else set -- -X "$method" "$@"; fi
	status=$(curl -s -m 60 -D "$dir/head" -o "$dir/body" -w '%{http_code}' --path-as-is "$@" "$SKALD_SERVER$path") ||
		fail "no answer to $method $path"
}
is() { [ "$status" = "$1" ] || fail "status $status instead of $1: $(head -c 500 "$dir/body")"; }
header() { sed -nE "s/^$1: ([^\r]*)\r\$/\1/Ip" "$dir/head"; }
head_is() { [ "$(header "$1")" = "$2" ] || fail "$1 is \`$(header "$1")\` and not \`$2\`"; }
head_holds() { [[ "$(header "$1")" == *"$2"* ]] || fail "$1 is \`$(header "$1")\`, without \`$2\`"; }
body_has() { grep -qF -- "$1" "$dir/body" || fail "no \`$1\` in: $(head -c 500 "$dir/body")"; }
confined() {
	head_is Content-Security-Policy "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	head_is X-Content-Type-Options nosniff
	head_is Referrer-Policy no-referrer
	head_is Cross-Origin-Opener-Policy same-origin
	head_is Cross-Origin-Resource-Policy same-origin
}

start_skald
await_skald

# ---- whose pages may act ----

validate() { request POST /v1/definitions/validate -H 'Content-Type: application/yaml' --data-binary 'saga: x' "$@"; }
authority=${SKALD_SERVER#http://}
validate
is 200
validate -H "Origin: http://$authority"
is 200
validate -H "Origin: http://127.0.0.1:1"
is 403 && body_has '"cross_site"' && body_has allowed_origins
validate -H "Origin: null"
is 403
validate -H "Sec-Fetch-Site: cross-site"
is 403
validate -H "Origin: http://evil.example:${authority##*:}" -H "Host: evil.example:${authority##*:}"
is 403 && body_has '"unknown_host"'
request GET /v1/sagas -H 'Host: evil.example'
is 403 && body_has '"unknown_host"'
request GET /v1/sagas -H "Origin: http://evil.example"
is 200
head_is Access-Control-Allow-Origin ''
head_is Cross-Origin-Resource-Policy same-origin
request OPTIONS /v1/sagas -H "Origin: http://evil.example"
is 405
head_is Access-Control-Allow-Origin ''

# ---- the way there ----

request GET /
is 200 && body_has 'a saga coordinator' && head_is Vary Accept
request GET /ui
is 302 && head_is Location /ui/ && confined
request POST /ui/
is 405 && head_is Allow 'GET, HEAD' && confined
request GET /ui/%zz
is 400 && confined
request GET /ui/assets/none-0.js
is 404 && confined
request GET /ui/

if [ "$status" = 404 ]; then
	body_has '"dashboard_not_built"' && body_has DASHBOARD=1 && confined
	request GET / -H 'Accept: text/html'
	is 200
	echo "this binary has no dashboard; its files are not tested" >&2
	exit 0
fi

is 200 && confined
head_is Content-Type 'text/html; charset=utf-8'
head_is Cache-Control no-cache
cp "$dir/body" "$dir/index.html"
etag=$(header ETag)
[[ $etag == \"*\" ]] || fail "no tag: $etag"
request GET / -H 'Accept: text/html,application/xhtml+xml;q=0.9,*/*;q=0.8'
is 302 && head_is Location /ui/

request GET /ui/ -H "If-None-Match: $etag"
is 304 && head_is ETag "$etag" && confined
[ ! -s "$dir/body" ] || fail "a 304 with a body"
for path in sagas sagas/0198c0de-7a31-7abc-bf11-223344556677?tab=ledger definitions/a.b attention; do
	request GET "/ui/$path"
	is 200 && confined && head_is ETag "$etag"
	cmp -s "$dir/body" "$dir/index.html" || fail "/ui/$path gives another page"
done
request HEAD /ui/
is 200 && confined && head_is Content-Length "$(wc -c < "$dir/index.html")"

# Everything that the page names is there, may be kept, and has two forms.
n=0
for path in $(grep -oE '/ui/assets/[A-Za-z0-9._-]+' "$dir/index.html" | sort -u); do
	request GET "$path"
	is 200 && confined && head_is Cache-Control 'public, max-age=31536000, immutable'
	head_is Content-Encoding '' && head_is Vary Accept-Encoding
	etag=$(header ETag)
	mv "$dir/body" "$dir/plain"
	request GET "$path" -H 'Accept-Encoding: br, gzip'
	is 200 && confined && head_is Content-Encoding gzip && head_is Vary Accept-Encoding
	[ "$(header ETag)" != "$etag" ] || fail "two forms of $path have one tag"
	gzip -dc "$dir/body" | cmp -s - "$dir/plain" || fail "the forms of $path differ"
	request GET "$path" -H 'Accept-Encoding: gzip' -H "If-None-Match: $(header ETag)"
	is 304
	request GET "$path" -H 'Accept-Encoding: gzip;q=0' -H "If-None-Match: $etag"
	is 304
	n=$((n + 1))
done
[ $n -gt 0 ] || fail "the page names no assets"
! grep -qiE '<script[^>]*>[^<]|<style|style=|javascript:|https?://' "$dir/index.html" || fail "the page holds what its policy forbids"
