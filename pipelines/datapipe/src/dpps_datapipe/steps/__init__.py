"""The ctapipe tools as steps: checks of what goes in and what comes out around the stock tool."""
