"""Settings of objects."""

from pydantic import BaseModel, ConfigDict, Field, SecretStr

MAX_OBJECT_BYTES = 5 * 1024**3
"""The most that S3 takes in one upload: 5 GiB."""


class S3Config(BaseModel):
    """A bucket of S3, or of what speaks its protocol."""

    model_config = ConfigDict(extra="forbid")

    bucket: str = Field(min_length=3, description="The bucket. It must exist.")
    prefix: str = Field(default="", description="What the keys of all objects begin with.")
    region: str = Field(default="us-east-1", description="The bucket's region.")
    endpoint: str | None = Field(
        default=None,
        description="Where S3 is, as clients see it too, for services other than AWS: http(s)://host:port.",
    )
    access_key_id: SecretStr | None = Field(default=None, description="Null takes the host's own credentials of AWS.")
    secret_access_key: SecretStr | None = Field(default=None, description="Belongs to access_key_id.")


class ObjectConfig(BaseModel):
    """Where objects are kept, and how they are reached."""

    model_config = ConfigDict(extra="forbid")

    s3: S3Config | None = Field(default=None, description="A bucket to keep objects in; null for the data folder.")
    public_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^/?#\s]+(/[^?#\s]*)?$",
        description="Where clients reach this server; null takes the host that the request itself names.",
    )
    trust_forwarded: bool = Field(
        default=False,
        description="Whether a reverse proxy sets X-Forwarded-Proto, X-Forwarded-Host and X-Forwarded-Prefix. Leave it "
        "false where callers could set them themselves.",
    )
    max_bytes: int = Field(
        default=MAX_OBJECT_BYTES, ge=1, le=MAX_OBJECT_BYTES, description="How large an object may be, in bytes."
    )
    upload_seconds: int = Field(
        default=3600, ge=1, le=7 * 24 * 3600, description="How long after its creation an upload may begin."
    )
