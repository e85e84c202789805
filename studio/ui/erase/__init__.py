"""The Erase tab: concepts taken out of a model, looked at before and after, accepted onto the stack or discarded."""
