"""What the methods of a contract say of themselves."""
