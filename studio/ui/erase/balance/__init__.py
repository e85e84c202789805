"""The part of the Erase tab that balances: a concept's pictures show its attributes in wanted proportions."""
