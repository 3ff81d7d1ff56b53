from lstm_zoo.cli import app

app(prog_name="lstm-zoo")
