"""The page: what is seen in the browser. Only this package imports gradio."""
