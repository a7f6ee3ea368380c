"""The store of vintages and its questions: knows nothing of providers, expectations or Prefect."""
