"""Every file here is shared; every folder is one marketplace."""
