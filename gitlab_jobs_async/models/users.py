"""The user and the commit of a job or pipeline."""

from datetime import datetime

from attrs import frozen

from gitlab_jobs_async.models.values import UNKNOWN_TIME


@frozen(kw_only=True)
class User:
    """The person or bot of a job, pipeline or runner: https://docs.gitlab.com/api/users/.

    Follows lib/api/entities/user.rb. The user of a pipeline or a runner has only the first seven
    fields, as lib/api/entities/user_basic.rb says.

    Attributes:
        id: the number of the user.
        username: the unique name, as in "@mia".
        name: the displayed name; masked for a bot that the token may not see.
        state: "active", "blocked" or another state of an account.
        locked: whether failed sign-ins locked the account; None from older releases.
        avatar_url: URL of the picture, None without one.
        web_url: URL of the profile.
        created_at: None if the token may not read the profile, as are *followers* and *following*.
        bio: what the user wrote; None or empty if nothing. Servers differ in which they send.
        location, public_email, website_url, organization, job_title, pronouns: as *bio*.
        skype, linkedin, twitter, discord, github: as *bio*.
        bot: whether GitLab made the account, such as that of a project access token.
        work_information: job title and organization in one line.
        followers: number of users who follow this one.
        following: number of users whom this one follows.
        local_time: time of day in the zone of the user, such as "3:38 PM".
    """

    id: int
    username: str
    name: str = ""
    state: str = ""
    locked: bool | None = None
    avatar_url: str | None = None
    web_url: str = ""
    created_at: datetime | None = None
    bio: str | None = None
    location: str | None = None
    public_email: str | None = None
    skype: str | None = None
    linkedin: str | None = None
    twitter: str | None = None
    discord: str | None = None
    github: str | None = None
    website_url: str | None = None
    organization: str | None = None
    job_title: str | None = None
    pronouns: str | None = None
    bot: bool | None = None
    work_information: str | None = None
    followers: int | None = None
    following: int | None = None
    local_time: str | None = None


@frozen(kw_only=True)
class Commit:
    """The commit of a job, as in git: https://docs.gitlab.com/api/commits/.

    Follows lib/api/entities/commit.rb.

    Attributes:
        id: the SHA.
        short_id: its first eight characters.
        title: the first line of the message.
        message: the whole message.
        author_name: who wrote the change.
        author_email: the address of the author.
        authored_date: when it was written, in the author's zone.
        committer_name: who applied the change.
        committer_email: the address of the committer.
        committed_date: when it was applied, in the committer's zone.
        created_at: the same time as *committed_date*.
        parent_ids: the SHAs of the parents.
        web_url: URL of the commit.
    """

    id: str
    short_id: str = ""
    title: str = ""
    message: str = ""
    author_name: str = ""
    author_email: str = ""
    authored_date: datetime = UNKNOWN_TIME
    committer_name: str = ""
    committer_email: str = ""
    committed_date: datetime = UNKNOWN_TIME
    created_at: datetime = UNKNOWN_TIME
    parent_ids: tuple[str, ...] = ()
    web_url: str = ""
