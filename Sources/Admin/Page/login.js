// Signing in with a token, where the gateway asks for one. The token goes to the gateway once and becomes a session's cookie.

import { call } from "./api.js";
import { field, openDialog } from "./dialog.js";
import { h } from "./dom.js";

let isOpen = false;

/// Asks for the token; `signedIn()` is called when the gateway took it. Asked for again while open, it does nothing.
export function openLogin(signedIn) {
  if (isOpen) return;
  isOpen = true;
  const token = h("input", { type: "password", autocomplete: "current-password", required: true, autofocus: true });
  openDialog({
    title: "Sign in to the gateway",
    // Browsers that keep passwords want a name beside it.
    body: [h("input", { type: "text", autocomplete: "username", value: "operator", hidden: true }), field("Token", token, "ADMIN_TOKEN; or ADMIN_READ_TOKEN, to look only")],
    cancel: null,
    actions: [{
      label: "Sign in",
      kind: "primary",
      run: async () => {
        try {
          await call("POST", "/admin/login", { token: token.value });
        } catch (problem) {
          token.select();
          throw problem;
        }
      },
    }],
    onClose: () => {
      isOpen = false;
      signedIn();
    },
  });
}

export async function logOut() {
  await call("POST", "/admin/logout", {});
  location.reload();
}
