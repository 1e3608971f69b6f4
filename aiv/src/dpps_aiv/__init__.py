"""Assembly, integration and verification: from requirements to tests and their evidence.

The judge stands apart: this package depends on nothing of `dpps`, so that other
projects can use it and no verdict rests on the code that is judged.
"""
