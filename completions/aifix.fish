complete --keep-order --exclusive --command aifix --arguments "(COMPLETE=fish aifix -- (commandline --current-process --tokenize --cut-at-cursor) (commandline --current-token))"
