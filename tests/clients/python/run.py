"""`run.py SCRIPT MODEL…`: the script once for each model, in one process: what takes long is importing the client.

Prints one JSON object a line, in the order of the models.
"""

from __future__ import annotations

import os
import runpy
import sys

script, *models = sys.argv[1:]
base = os.environ["LLM_USER_PATH"]
for model in models:
    os.environ["CLIENT_MODEL"] = model
    os.environ["LLM_USER_PATH"] = f"{base}-{model}"
    sys.modules.pop("steps", None)
    runpy.run_path(script)
    sys.stdout.write("\n")
