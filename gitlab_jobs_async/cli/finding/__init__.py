"""Find projects, pipelines and jobs by a git checkout, a pasted URL or a name."""
