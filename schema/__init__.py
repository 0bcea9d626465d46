"""GraphQL only: types, inputs, unions and fields of the two schemas."""
