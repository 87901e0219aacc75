"""Where canonical records come from: spreadsheets, folders of them, and other databases."""
