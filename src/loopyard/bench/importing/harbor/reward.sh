# Prints the reward that tests left, as `score=NUMBER`. Bash and grep only: the box may have neither Python nor jq.
# reward.json is JSON, with the number under `reward` at its top, or its only number there, or a number alone.
# reward.txt is one number. Anything else is an error.
LC_ALL=C
limit=1048576
refuse() { echo "$1"; exit 1; }
wrong() { refuse "reward.json is not valid JSON"; }

check() { # FILE
    [ "$(wc -c <"$1")" -le "$limit" ] || refuse "$1 is longer than $limit bytes"
    [ "$(tr -cd '\000' <"$1" | wc -c)" -eq 0 ] || refuse "$1 holds a zero byte"
}

string='"([^"\\[:cntrl:]]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})*"'
number='-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?'

value() { # DEPTH: takes one value from the tokens; $kind and $taken tell what it was
    [ "$1" -le 64 ] || refuse "reward.json is nested too deeply"
    local depth=$1 close= key= first=1
    taken=${tokens[at++]}
    case $taken in
        '{') close='}' kind=table ;;
        '[') close=']' kind=table ;;
        '"'?*) kind=string ;;
        true | false | null) kind=word ;;
        -[0-9]* | [0-9]*) kind=number ;;
        *) wrong ;;
    esac
    [ -n "$close" ] || return 0
    while [[ -z $first || ${tokens[at]} != "$close" ]]; do
        first=
        if [ "$close" = '}' ]; then
            key=${tokens[at]}
            [[ $key == '"'?* && ${tokens[at + 1]} == : ]] || wrong
            at=$((at + 2))
        fi
        value $((depth + 1))
        if [ "$depth" -eq 0 ] && [ "$close" = '}' ]; then
            members=$((members + 1)) only=$taken only_kind=$kind
            [ "$key" != '"reward"' ] || { found=$taken found_kind=$kind; }
        fi
        [ "${tokens[at]}" = "$close" ] && break
        [ "${tokens[at++]}" = , ] || wrong
    done
    at=$((at + 1)) kind=table
}

if [ -s /logs/verifier/reward.json ]; then
    check /logs/verifier/reward.json
    mapfile -t tokens < <(sed $'1s/^\xef\xbb\xbf//' /logs/verifier/reward.json |
        grep -aoE "$string|$number|true|false|null|[^[:space:]]")
    at=0 members=0 found= found_kind= only= only_kind=
    value 0
    [ "$at" -eq "${#tokens[@]}" ] || wrong
    if [ "$kind" = number ]; then reward=$taken
    elif [ "$found_kind" = number ]; then reward=$found
    elif [ -z "$found_kind" ] && [ "$members" -eq 1 ] && [ "$only_kind" = number ]; then reward=$only
    else refuse "reward.json has no number under 'reward'"; fi
elif [ -s /logs/verifier/reward.txt ]; then
    check /logs/verifier/reward.txt
    text=$(cat /logs/verifier/reward.txt)
    [[ ${text#$'\xef\xbb\xbf'} =~ ^[[:space:]]*([-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?)[[:space:]]*$ ]] ||
        refuse "reward.txt is not one number"
    reward=${BASH_REMATCH[1]}
else
    refuse "tests/test.sh left no reward in /logs/verifier/reward.txt or reward.json"
fi
echo "score=$reward"
