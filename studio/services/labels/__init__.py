"""Labels of an open studio: campaigns, questions, answers, and what is made of them."""
