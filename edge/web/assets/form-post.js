// Sends the form of the page on, as its button would (OAuth 2.0 Form Post Response Mode).
"use strict";
document.querySelector("form[data-form-post]").submit();
