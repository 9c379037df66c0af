"""Files that customers attach: read in a process of their own, kept as data, shown to people, and never decided on."""
