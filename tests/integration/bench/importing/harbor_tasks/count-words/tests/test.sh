#!/bin/bash
# The folder, the variables and the files of the task are all as Harbor gives them.
echo "score=1.0"
[ "$PWD" = /app/work ] || { echo "in $PWD"; exit 0; }
[ "$COLOUR" = 'gr${e}en "and" $blue' ] || { echo "COLOUR is $COLOUR"; exit 0; }
[ "$(id -u)" = 0 ] || { echo "not root"; exit 0; }
head -n "$LIMIT" /tests/fixtures/expected.txt > /tmp/expected
correct=0
while read -r line; do
    grep -qxF "$line" answer.txt 2> /dev/null && correct=$((correct + 1))
done < /tmp/expected
printf '{\n  "words": %s,\n  "reward": %s\n}\n' "$correct" "$(awk "BEGIN { print $correct / 3 }")" > /logs/verifier/reward.json
