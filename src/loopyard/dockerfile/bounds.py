"""Bounds of what a Dockerfile may ask of the server that reads it. All are far above what people write."""

TEXT_BYTES = 2 << 20
"""Size of a Dockerfile."""

INSTRUCTIONS = 5_000
STAGES = 500
HEREDOCS = 100
"""Heredocs of one instruction."""

FLAGS = 200
"""Flags of one instruction."""

DIRECTIVE_CHARACTERS = 4_000
"""Length of a parser directive's line."""

JSON_CHARACTERS = 1 << 20

NESTED_EXPANSIONS = 50
"""Depth of `${a:-${b:-…}}`."""

EXPANDED_CHARACTERS = 1 << 20
"""Length of what one argument becomes when its variables are replaced."""

EXPANSION_WORK = 32 << 20
"""Characters of variables' values that are put into all words of a Dockerfile, or of a stage when it is expanded. A
pattern counts its value once for each wildcard."""

ENVIRONMENT_CHARACTERS = 1 << 20
"""Sum of the names and values of a stage's ENV and ARG."""

TRIGGERS = 200
"""ONBUILD triggers of an image."""

PATTERN_CHARACTERS = 4_096
"""Length of a pattern of paths."""

WILDCARDS = 32
"""Wildcards of a pattern."""

PATTERNS = 10_000
"""Patterns of an ignore file."""

PATTERN_MEMORY = 1 << 20
"""Bytes that a compiled pattern may take."""

MOST_ENTRIES = 1_000_000
"""Files and folders of a context."""

VARIABLES = 2_000
"""Variables of a stage, by ENV and ARG."""

CONFIGURATION_ENTRIES = 5_000_000
"""Entries of all configurations that a stage goes through."""

MATCHES = 20_000_000
"""Comparisons of a path with a pattern, of one ignore file. Those of patterns with many wildcards count more."""
