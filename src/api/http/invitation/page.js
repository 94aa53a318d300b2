// Accepts an invitation when its button is pressed. The code of the link stays in the page: it is taken out of the address
// at once, and sent in the body of one request.
const byId = (id) => document.getElementById(id);
const code = location.hash.slice(1);
history.replaceState(null, "", location.pathname);

// Drawn for as long as this page is open. Should the answer get lost on its way, the server gives it again for this key alone.
const retryKey = btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(32))));

const UNKNOWN =
  "Please leave this page open and try again within ten minutes: nothing is lost. If you are then told that the invitation " +
  "does not work any more, ask whoever invited you to take it back and to send a new one.";
const FAULTS = {
  404: "This invitation does not work any more. It works once and for seven days; ask whoever invited you for a new one.",
  429: "Too many tries from your network. Please wait a minute and try again.",
};

function fail(text) {
  byId("fault").textContent = text;
  byId("fault").hidden = false;
}

function show({ secret, site, devices, account, support_contact }) {
  byId("ask").hidden = true;
  byId("site").textContent = site;
  byId("account").textContent = account;
  byId("contact").textContent = support_contact;
  byId("support").hidden = !support_contact;
  for (const { display_name, id, may_power, may_block } of devices) {
    const item = document.createElement("li");
    const may = [may_power && "switch its power", may_block && "block its internet"].filter(Boolean);
    item.textContent = (display_name || id) + (may.length ? `: you may ${may.join(" and ")}` : "");
    byId("devices").append(item);
  }
  byId("none").hidden = devices.length > 0;
  byId("key").value = secret;
  byId("done").hidden = false;
}

async function accept() {
  byId("accept").disabled = true;
  byId("fault").hidden = true;
  try {
    const answer = await fetch("/invitation/redeem", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ code, retry_key: retryKey }),
    });
    if (answer.ok) return show(await answer.json());
    fail(FAULTS[answer.status] ?? `The server has a fault. ${UNKNOWN}`);
  } catch {
    fail(`No answer came from the server. ${UNKNOWN}`);
  }
  byId("accept").disabled = false;
}

if (code) {
  byId("ask").hidden = false;
  byId("accept").addEventListener("click", accept);
} else {
  fail("This link is not whole. Open it from the mail again, or copy all of it.");
}
byId("copy").addEventListener("click", async () => {
  byId("key").select();
  try {
    await navigator.clipboard.writeText(byId("key").value);
    byId("copied").textContent = "Copied.";
  } catch {
    byId("copied").textContent = "Press Ctrl+C to copy.";
  }
});
