"""Autonomy that is earned: what people said of each cell of the matrix, moves up that it supports, moves down."""
