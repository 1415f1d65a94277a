#!/usr/bin/env python3
"""A bot without imbot, in Python's standard library: python3 bot.py WEBHOOK_URL. Repeats in capitals what it hears."""
import http.server, json, sys, threading, urllib.parse, urllib.request

WEBHOOK, TOKEN = sys.argv[1], "token-of-the-python-bot"


def call(method, **params):
    body = json.dumps(params).encode()
    request = urllib.request.Request(WEBHOOK + method, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)["result"]


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        event = dict(urllib.parse.parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
        self.send_response(200)
        self.end_headers()
        # Only the portal knows the first 50 characters of `custom` and the token.
        if event.get("auth[application_token]") == ("custom" + TOKEN)[:50] and event["event"] == "ONIMBOTV2MESSAGEADD":
            fields = {"message": event["data[message][text]"].upper()}
            # In its own thread: the portal waits for this answer, and the bot waits for the portal's.
            threading.Thread(target=call, args=["imbot.v2.Chat.Message.send"], kwargs={
                "botId": int(event["data[bot][id]"]), "botToken": TOKEN,
                "dialogId": event["data[chat][dialogId]"], "fields": fields}).start()


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
address = f"http://127.0.0.1:{server.server_port}/"
bot = call("imbot.v2.Bot.register", fields={"code": "python", "botToken": TOKEN, "eventMode": "webhook",
           "webhookUrl": address, "properties": {"name": "Python bot"}})["bot"]
print(bot["id"], flush=True)
server.serve_forever()
