"""What things are: values and tables. Imports none of ours."""
