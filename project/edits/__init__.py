"""Keeps two people who edit one row in the admin from undoing each other's changes.

A form carries a mark of each value that it showed. When it is submitted, its row is
locked, and three values of each field are compared: the one shown, the one entered, and
the one stored now.

- If only one person changed a field, their change is saved.
- If both changed it, nothing is saved. The page says who changed the field and to what,
  and keeps the input. It is saved if the form is submitted again.

`marks` compares values, `history` finds who changed them, `forms` and `admin` use both.
"""
