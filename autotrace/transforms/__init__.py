"""The transforms: traces that watch a function run, and interpreters and passes over jaxprs."""
