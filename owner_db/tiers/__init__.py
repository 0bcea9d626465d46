"""What a tier allows and costs."""
