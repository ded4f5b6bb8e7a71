"""A toy carrier for offhook."""
