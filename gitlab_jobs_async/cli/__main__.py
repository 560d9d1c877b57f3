"""Run the command as `python -m gitlab_jobs_async.cli`."""

from gitlab_jobs_async.cli import main

if __name__ == "__main__":
    main()
