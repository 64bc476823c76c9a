"""Protocol of what gives scenario runs the profile of the benchmark run that they are a part of."""

from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.scenario.run.schemas import RunProfile


class InheritedProfiles(Protocol):
    """Profiles of benchmark runs, for scenario runs that are started in them."""

    async def join(self, session: AsyncSession, account_id: str, run_id: str, profile: RunProfile) -> RunProfile:
        """The profile of a scenario run that is started as a part of a benchmark run, which cannot end before the
        transaction does.

        Raises:
            NotFound: The account has no such benchmark run.
            WrongState: It is over.
            BadRequest: The launch parameters of the two profiles do not go together.
        """
        ...

    async def metadata(self, session: AsyncSession, run_id: str) -> dict[str, str]:
        """The metadata of a benchmark run of whatever account; empty if there is none."""
        ...
