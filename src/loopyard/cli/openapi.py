"""`loopyard openapi`: the API's description, without a running server."""

import json
from pathlib import Path

import typer


def print_openapi() -> None:
    """Print the OpenAPI 3.1 document of the API as JSON. Needs no running server and changes nothing."""
    from loopyard.app import create_app
    from loopyard.config import Settings
    from loopyard.kit.db.database import Database
    from loopyard.runtime.absent import absent_runtime

    settings = Settings(data_dir=Path("/nonexistent"))
    app = create_app(absent_runtime(), Database(settings.store_url), settings)
    typer.echo(json.dumps(app.openapi(), indent=2))
