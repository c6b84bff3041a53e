import { render } from "solid-js/web";
import "../ui/base.css";
import "./login.css";
import { Login } from "./Login";

const root = document.getElementById("app");
if (root) render(() => <Login />, root);
