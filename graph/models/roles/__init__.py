"""One module a role: what a model is asked, in which form it must answer, and how the answer is read and refused."""
