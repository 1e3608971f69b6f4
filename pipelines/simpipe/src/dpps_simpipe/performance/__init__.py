"""The performance of a simulated array, simulated and analysed to the instrument response and compared."""
