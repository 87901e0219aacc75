"""The steps of a night, one module each, without Prefect: pull, project, plan, guard, push, settle, report."""
