"""The keys of a screen that act on its selected job or pipeline."""

from abc import abstractmethod
from collections.abc import Awaitable, Callable

from textual.screen import Screen

from gitlab_jobs_async.cli.fullscreen.actions import Outcome, Subject
from gitlab_jobs_async.cli.fullscreen.browser import open_page
from gitlab_jobs_async.cli.fullscreen.dialogs import Question
from gitlab_jobs_async.cli.fullscreen.session import Session


class ActingScreen(Screen[None]):
    """A screen with a selected job or pipeline, its *subject*."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session

    @abstractmethod
    def subject(self) -> Subject | None:
        """Return the job or pipeline that the keys act on."""

    def action_browse(self) -> None:
        """Open the page of the selected line."""
        subject = self.subject()
        if subject is not None:
            self.session.start(self._browse(subject.url))

    async def _browse(self, url: str) -> None:
        self.session.say(await open_page(url))

    def action_copy_url(self) -> None:
        """Copy the URL of the selected line."""
        subject = self.subject()
        if subject is None or not subject.url:
            self.session.say("this line has no page")
            return
        self.app.copy_to_clipboard(subject.url)
        self.session.say(f"copied {subject.url}")

    def action_retry(self) -> None:
        """Retry the selected job, or the failed jobs of the pipeline."""
        self._act(self.session.actions.retry)

    def action_play(self) -> None:
        """Start the selected manual job."""
        self._act(self.session.actions.play)

    def action_cancel(self) -> None:
        """Cancel the selected job or pipeline after a question."""
        self._ask("Cancel", self.session.actions.cancel)

    def action_erase(self) -> None:
        """Erase the log and artifacts of the selected job after a question."""
        subject = self.subject()
        if subject is not None and subject.job is None:
            # A pipeline has no log: the question would frighten for nothing.
            self.session.say("select a job to erase")
        else:
            self._ask("Erase the log and artifacts of", self.session.actions.erase)

    def _ask(self, verb: str, call: Callable[[Subject], Awaitable[Outcome]]) -> None:
        # The subject is that of the question, whatever the cursor does meanwhile.
        subject = self.subject()
        if subject is None:
            self.session.say("select a job or a pipeline")
            return

        def answered(answer: bool | None) -> None:  # noqa: FBT001 - called by textual
            if answer:
                self._perform(call, subject)
            else:
                self.session.say("nothing was changed")

        self.app.push_screen(Question(f"{verb} {subject.name}?"), answered)

    def _act(self, call: Callable[[Subject], Awaitable[Outcome]]) -> None:
        subject = self.subject()
        if subject is None:
            self.session.say("select a job or a pipeline")
        else:
            self._perform(call, subject)

    def _perform(self, call: Callable[[Subject], Awaitable[Outcome]], subject: Subject) -> None:
        self.session.say(f"{subject.name}: …")
        self.session.start(self._performed(call, subject))

    async def _performed(
        self, call: Callable[[Subject], Awaitable[Outcome]], subject: Subject
    ) -> None:
        outcome = await call(subject)
        self.session.say(outcome.words)
        if outcome.job is not None:
            self.session.overview.on_job(subject.path, outcome.job, self.session.now())
        self.session.feed.follow(subject.project, None if outcome.job is None else outcome.job.id)
        self.session.changed()
        self.on_done(subject, outcome)

    def on_done(self, subject: Subject, outcome: Outcome) -> None:
        """React to the result of an action."""
