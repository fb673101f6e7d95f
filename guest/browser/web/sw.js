const BUILD="@build@";
