// Passkeys: what a browser does for a script alone. Forms say with data-passkey what they need;
// the answer goes into the form, which is sent as any other. Without this file they stay hidden.
"use strict";

const BUFFERS = ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"];
const RENEW_BEFORE_SECONDS = 30;
const AT_ONCE_MS = 1000;

function fromBase64(text) {
  const plain = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
  return Uint8Array.from(plain, (letter) => letter.charCodeAt(0));
}

function toBase64(buffer) {
  const plain = String.fromCharCode(...new Uint8Array(buffer));
  return btoa(plain).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}

function descriptors(list) {
  return (list || []).map((each) => ({ ...each, id: fromBase64(each.id) }));
}

// Options of WebAuthn out of their form in JSON.
function readOptions(json) {
  const options = { ...json, challenge: fromBase64(json.challenge) };
  if (json.user) options.user = { ...json.user, id: fromBase64(json.user.id) };
  if (json.excludeCredentials) options.excludeCredentials = descriptors(json.excludeCredentials);
  if (json.allowCredentials) options.allowCredentials = descriptors(json.allowCredentials);
  return options;
}

// A credential of WebAuthn in its form in JSON. Password managers answer in place of the browser,
// some with members missing, or with an id in another spelling.
function writeCredential(credential) {
  const response = {};
  for (const name of BUFFERS) {
    if (credential.response[name]) response[name] = toBase64(credential.response[name]);
  }
  response.transports = credential.response.getTransports?.() ?? [];
  const id = toBase64(credential.rawId);
  return JSON.stringify({
    id,
    rawId: id,
    type: credential.type,
    authenticatorAttachment: credential.authenticatorAttachment,
    clientExtensionResults: credential.getClientExtensionResults?.() ?? {},
    response,
  });
}

function sendWith(form, credential) {
  form.elements.credential.value = writeCredential(credential);
  form.submit();
}

// Says what went wrong; the form has a text for each kind.
function showProblem(form, name) {
  const place = form.querySelector("[data-failed]");
  place.textContent = name ? place.dataset[name] : "";
}

function problemOf(error) {
  if (error instanceof UnavailableError) return "unavailable";
  return error.name === "InvalidStateError" ? "known" : "failed";
}

class UnavailableError extends Error {}

// Runs what a form asks for, once at a time: a second press would end the first one's question.
function whenSent(form, work) {
  let running = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (running) return;
    running = true;
    showProblem(form, "");
    try {
      await work();
    } catch (error) {
      showProblem(form, problemOf(error));
    } finally {
      running = false;
    }
  });
}

// A form that stands on the page with its options: one that makes a passkey, or answers a challenge.
function onePasskey(form, ask) {
  whenSent(form, async () => sendWith(form, await ask(readOptions(JSON.parse(form.dataset.options)))));
}

// The form of the sign-in: by its button, or out of what the browser offers in the field of the
// address. Options are fetched when they are needed, since a page may be open for hours.
function signIn(form) {
  let waiting = null;

  async function fetchOptions() {
    const answer = await fetch("/api/v1/auth/passkey/begin", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: "{}",
    }).catch(() => null);
    if (!answer?.ok) throw new UnavailableError();
    return (await answer.json()).data;
  }

  async function ask(begun, more) {
    const credential = await navigator.credentials.get({
      publicKey: readOptions(begun.options),
      ...more,
    });
    form.elements.challenge.value = begun.challenge;
    sendWith(form, credential);
  }

  async function offer() {
    const available = PublicKeyCredential.isConditionalMediationAvailable;
    if (!available || !(await available.call(PublicKeyCredential))) return;
    const begun = await fetchOptions();
    const own = (waiting = new AbortController());
    const began = Date.now();
    const renew = setTimeout(() => own.abort(), (begun.expiresIn - RENEW_BEFORE_SECONDS) * 1000);
    try {
      await ask(begun, { mediation: "conditional", signal: own.signal });
    } catch (error) {
      // What time has aborted, or the person, is offered once more; the button has taken over from
      // what it aborted, and a browser that refuses at once would only refuse again.
      const again = error.name === "AbortError" || Date.now() - began > AT_ONCE_MS;
      if (again && waiting === own) offer().catch(() => {});
    } finally {
      clearTimeout(renew);
    }
  }

  whenSent(form, async () => {
    const former = waiting;
    waiting = null;
    if (former) former.abort();
    try {
      await ask(await fetchOptions(), {});
    } catch (error) {
      offer().catch(() => {});
      throw error;
    }
  });
  offer().catch(() => {});
}

// Tells whoever keeps passkeys which ones are good, where the browser can.
function report(element) {
  const { unknown, accepted } = element.dataset;
  if (unknown) PublicKeyCredential.signalUnknownCredential?.(JSON.parse(unknown)).catch(() => {});
  if (accepted) {
    const { allAcceptedCredentialIds, name, displayName, ...who } = JSON.parse(accepted);
    PublicKeyCredential.signalAllAcceptedCredentials?.({ ...who, allAcceptedCredentialIds }).catch(() => {});
    PublicKeyCredential.signalCurrentUserDetails?.({ ...who, name, displayName }).catch(() => {});
  }
}

// An offer is for devices that can keep a passkey of their own.
async function showOffer(element) {
  element.hidden = !(await PublicKeyCredential.isUserVerifyingPlatformAuthenticatorAvailable());
}

const KINDS = {
  "sign-in": signIn,
  create: (form) => onePasskey(form, (publicKey) => navigator.credentials.create({ publicKey })),
  get: (form) => onePasskey(form, (publicKey) => navigator.credentials.get({ publicKey })),
  report,
  offer: (element) => showOffer(element).catch(() => {}),
};

if (window.PublicKeyCredential) {
  for (const element of document.querySelectorAll("[data-passkey]")) {
    if (element.tagName === "FORM") element.hidden = false;
    KINDS[element.dataset.passkey](element);
  }
  for (const text of document.querySelectorAll("[data-without-passkeys]")) text.hidden = true;
}
