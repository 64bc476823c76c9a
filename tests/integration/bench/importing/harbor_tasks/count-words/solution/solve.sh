#!/bin/bash
set -e
[ "$SORTED_BY" = count ]
tr ' ' '\n' < data/text.txt | bash "$(dirname "$0")/tally.sh" | head -n 3 > answer.txt
