"""Two people at one form of the admin: neither undoes what the other has saved.

A form carries a mark of each value that it showed. When it comes back, its row is
locked and three values of each field are compared: what was shown, what was entered,
and what is stored now.

- A field that only one of the two changed is saved as that one left it.
- A field that both changed is refused: nothing is saved, the page says who changed it
  to what, keeps what was typed, and takes it when it is sent again.
"""
