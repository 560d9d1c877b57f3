"""`python -m gitlab_jobs_async.cli`: the same command, where no script is installed."""

from gitlab_jobs_async.cli import main

if __name__ == "__main__":
    main()
